"""Fine-tunes on the workers of a Ray cluster.

    python ray_train.py RUN.json [WORKERS]

RUN.json holds the arguments of `tf-longformer finetune`, as for `--config`,
with absolute paths.
Ray starts the workers, tells each its TF_CONFIG, and starts all again where
one is lost; the run then goes on from the state in its output folder, which
all machines must see.
"""

import json
import sys
from pathlib import Path

from ray.train import FailureConfig
from ray.train import RunConfig
from ray.train import ScalingConfig
from ray.train import report
from ray.train.tensorflow import TensorflowTrainer


def work(values: dict) -> None:
    """What each worker does."""
    from tf_longformer.finetuning.arguments import Arguments
    from tf_longformer.finetuning.fine_tune import fine_tune

    given = {**values, "strategy": "multiworker", "resume": True}
    result = fine_tune(Arguments(**given))
    report({"steps": result.steps, **result.best})


def main(path: str, workers: str = "2") -> None:
    from tf_longformer.finetuning.arguments import read_arguments

    values = read_arguments(Path(path))
    trainer = TensorflowTrainer(
        work,
        train_loop_config=values,
        scaling_config=ScalingConfig(num_workers=int(workers)),
        run_config=RunConfig(
            storage_path=f"{values['output']}-ray",
            failure_config=FailureConfig(max_failures=3),
        ),
    )
    trainer.fit()
    report_file = Path(values["output"]) / "metrics.json"
    print(json.loads(report_file.read_text("utf-8"))["best"])


if __name__ == "__main__":
    main(*sys.argv[1:])
