"""The main job: a small Longformer trained on real, long documents.

`tf-longformer quickstart` runs it. `corpus` finds and splits the documents,
`cleaning` takes the answers out of them, `classifiers` learn, `report` shows,
`tensorflow_only` runs the export alone, and `run` ties the steps together.
"""
