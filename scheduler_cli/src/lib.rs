//! The scheduler command: dev server, migrations, doctor, keys, jobs, templates.
