"""MLflow as a mirror of run directories. `mlflow` is the only file that imports it.

`fields` turns a run into flat values, `address` tells where runs are tracked, `dashboard` serves them.
"""
