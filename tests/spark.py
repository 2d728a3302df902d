"""A real Spark for tests: local mode, one thread, on loopback only, without its web pages."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

INSTALL = "Java is not installed; to run this: sudo apt-get install openjdk-17-jre-headless"


def missing() -> str:
    """Why no Spark can be started, with the remedy; "" if one can. Under CI=true a missing one fails."""
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return ""
    if os.environ.get("CI") == "true":
        raise RuntimeError(INSTALL)
    return INSTALL


@contextlib.contextmanager
def session(threads: int = 1) -> Iterator[Any]:
    """A Spark session until the block ends. With one thread for the small data of tests: short compilation, few
    partitions. With several as it comes, for data worth compiling for."""
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="survey-spark-") as folder:
        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": folder,
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.ui.enabled": "false",
        }
        if threads == 1:
            settings |= {
                "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
                "spark.sql.codegen.wholeStage": "false",
                "spark.sql.shuffle.partitions": "2",
            }
        else:
            settings |= {"spark.driver.memory": "3g", "spark.sql.shuffle.partitions": str(4 * threads)}
        builder = SparkSession.builder.master(f"local[{threads}]").appName("survey tests")
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        try:
            yield spark
        finally:
            spark.stop()
            with warnings.catch_warnings():
                # PySpark leaves the closing of its sockets to the collector.
                warnings.simplefilter("ignore", ResourceWarning)
                del spark
                gc.collect()
