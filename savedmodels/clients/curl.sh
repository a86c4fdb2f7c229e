#!/usr/bin/env bash
# Asks a model over REST. Needs curl; jq only to make JSON of a text.
#
#   ./curl.sh my-classifier status
#   ./curl.sh my-classifier metadata
#   ./curl.sh my-classifier ids '[0, 100, 200, 2]'
#   ./curl.sh my-classifier text 'A long document.'
#
# SERVER is the server's address; this machine's port 8501 by default. The
# exit code is 0 for an answer, 22 for an error of the server's, which is
# printed too.
set -euo pipefail

usage() {
    echo "error: $1. Usage: curl.sh MODEL status|metadata, or" \
        "curl.sh MODEL ids|text VALUE" >&2
    exit 2
}

[ $# -ge 2 ] || usage "a model and what to ask it are missing"
model="$1" what="$2"
url="${SERVER:-http://127.0.0.1:8501}/v1/models/$model"

ask() {
    curl --silent --show-error --fail-with-body --max-time 60 "$@"
    echo
}

predict() {
    # From standard input, as a document may be longer than an argument.
    ask --header "Content-Type: application/json" --data-binary @- \
        "$url:predict"
}

case "$what" in
    status | metadata) [ $# -eq 2 ] || usage "$what takes no value" ;;
    ids | text) [ $# -eq 3 ] || usage "$what takes one value, not $(($# - 2))" ;;
    *) usage "status, metadata, ids or text, not $what" ;;
esac

case "$what" in
    status) ask "$url" ;;
    metadata) ask "$url/metadata" ;;
    ids)
        # A 1 for each element, whatever it is: the server tells of bad ids.
        mask="$(sed -E 's/[^][,[:space:]]+/1/g' <<< "$3")"
        predict <<< "{\"instances\": [{\"input_ids\": $3, \"attention_mask\": $mask}]}"
        ;;
    text)
        jq -n --rawfile text <(printf %s "$3") \
            '{signature_name: "text", instances: [{text: $text}]}' | predict
        ;;
esac
