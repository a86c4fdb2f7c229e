"""Fine-tunes on the executors of a Spark cluster, as one barrier job.

    spark-submit spark_barrier.py RUN.json [WORKERS]

RUN.json holds the arguments of `tf-longformer finetune`, as for `--config`,
with absolute paths.
Spark starts all tasks at once, or all again where one is lost; the run then
goes on from the state in its output folder, which all machines must see.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from pyspark import BarrierTaskContext
from pyspark.sql import SparkSession


def work(values: dict) -> Iterator[dict]:
    """What each task does."""
    from tf_longformer.finetuning.arguments import Arguments
    from tf_longformer.finetuning.fine_tune import fine_tune

    context = BarrierTaskContext.get()
    with socket.socket() as free:
        free.bind(("", 0))
        host = context.getTaskInfos()[context.partitionId()].address
        address = f"{host.partition(':')[0]}:{free.getsockname()[1]}"
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": context.allGather(address)},
            "task": {"type": "worker", "index": context.partitionId()},
        }
    )
    given = {**values, "strategy": "multiworker", "resume": True}
    result = fine_tune(Arguments(**given))
    yield {"steps": result.steps, **result.best}


def main(path: str, workers: str = "2") -> None:
    from tf_longformer.finetuning.arguments import read_arguments

    values = read_arguments(Path(path))
    spark = (
        SparkSession.builder.appName("tf-longformer")
        # TensorFlow has to be new in a process that joins others.
        .config("spark.python.worker.reuse", "false")
        .getOrCreate()
    )
    numbers = spark.sparkContext.parallelize(range(int(workers)), int(workers))
    results = numbers.barrier().mapPartitions(lambda _: work(values)).collect()
    print(results[0])
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
