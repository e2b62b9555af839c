ALTER TABLE jobs_live VALIDATE CONSTRAINT limit_of_template;
