"""Which stored report shows which revision of its session."""

from django.db import models


class StoredReport(models.Model):
    """One rendered file. It is current while its revision and fingerprint are the session's and the renderer's,
    and the file that is there is the one it speaks of."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=80)  # the file's name
    session_id = models.CharField(max_length=36)
    revision = models.IntegerField()
    fingerprint = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)  # of the file
    rendered_at = models.DateTimeField()

    class Meta:
        db_table = "reports"
        default_permissions = ()
        permissions = [("view_report", "Can view reports"), ("regenerate_report", "Can regenerate reports")]
        indexes = [models.Index(fields=["session_id"], name="reports_session")]

    def __str__(self) -> str:
        return f"{self.pk} at revision {self.revision}"
