"""Audit events are written once: the database itself refuses to change or remove one."""

from django.db import migrations

TABLE = "accounts_auditevent"

SQLITE_INSTALL = [
    f"""CREATE TRIGGER audit_refuses_update BEFORE UPDATE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END""",
    f"""CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, 'audit events are never removed'); END""",
    # INSERT OR REPLACE removes the old row without asking a DELETE trigger (sqlite.org/lang_conflict.html).
    f"""CREATE TRIGGER audit_refuses_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'audit events are never replaced'); END""",
]
SQLITE_REMOVE = [
    "DROP TRIGGER audit_refuses_update",
    "DROP TRIGGER audit_refuses_delete",
    "DROP TRIGGER audit_refuses_replace",
]
POSTGRESQL_INSTALL = [
    """CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit events are never changed or removed' USING ERRCODE = '23001'; END $$""",
    f"""CREATE TRIGGER audit_refuses_change BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION audit_refuses()""",
    f"""CREATE TRIGGER audit_refuses_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()""",
]
POSTGRESQL_REMOVE = [
    f"DROP TRIGGER audit_refuses_change ON {TABLE}",
    f"DROP TRIGGER audit_refuses_truncate ON {TABLE}",
    "DROP FUNCTION audit_refuses()",
]
INSTALL = {"sqlite": SQLITE_INSTALL, "postgresql": POSTGRESQL_INSTALL}
REMOVE = {"sqlite": SQLITE_REMOVE, "postgresql": POSTGRESQL_REMOVE}


def install(apps, schema_editor):
    for statement in INSTALL[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def remove(apps, schema_editor):
    for statement in REMOVE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
