-- Calendars: named holidays, business days and windows that the schedules of a merchant's templates refer to.

CREATE TABLE calendars (
    merchant_id uuid NOT NULL,
    name        text NOT NULL CHECK (name <> ''),
    version     integer NOT NULL DEFAULT 1 CHECK (version > 0),
    -- What the program reads: see `schedule::Calendar`.
    definition  jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    -- Together with the version this tells two calendars of one name apart, of which the first was deleted.
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, name)
);

-- Which templates use which calendar. The foreign key decides races: nobody can delete a calendar that a template begins to
-- use at the same time. Written by whoever writes the template, in the same transaction.
CREATE TABLE template_calendars (
    merchant_id uuid NOT NULL,
    calendar    text NOT NULL,
    template_id uuid NOT NULL,
    PRIMARY KEY (merchant_id, calendar, template_id),
    CONSTRAINT calendar_is_used FOREIGN KEY (merchant_id, calendar) REFERENCES calendars (merchant_id, name)
);
CREATE INDEX template_calendars_by_template ON template_calendars (merchant_id, template_id);
