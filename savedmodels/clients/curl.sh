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
    status) ask "$url" ;;
    metadata) ask "$url/metadata" ;;
    ids)
        mask="$(sed -E 's/-?[0-9]+/1/g' <<< "$3")"
        predict <<< "{\"instances\": [{\"input_ids\": $3, \"attention_mask\": $mask}]}"
        ;;
    text)
        jq -n --rawfile text <(printf %s "$3") \
            '{signature_name: "text", instances: [{text: $text}]}' | predict
        ;;
    *)
        echo "error: status, metadata, ids or text, not $what" >&2
        exit 2
        ;;
esac
