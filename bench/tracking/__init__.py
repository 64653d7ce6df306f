"""MLflow as a mirror of run directories, live while a run works. `mlflow` alone imports it, and `front` in its server.

Read in this order: `address` (where runs are tracked), `database` (the database of the store, made whole or not at
all), `mlflow` (the calls), `mirror` (a run directory in MLflow), `journal` (a run at work tells of itself), `live`
(journals in MLflow), `tracker` (the process that hands them in, beside a command), `fields` and `views` (a run as flat
values, and how the dashboard arranges runs), `dashboard` (how it is served), `announce` (when it answers), `front` (its
first page).
"""
