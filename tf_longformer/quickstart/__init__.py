"""The main job: a small Longformer trained on real, long documents.

`tf-longformer quickstart` runs it. Reading order: `projects` says where the
documents lie, `cleaning` takes the answers out of them, `corpus` splits them,
`baselines` sets the bar, `classifier` trains, `run` ties the steps together.
"""
