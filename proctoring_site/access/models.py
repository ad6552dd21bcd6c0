"""API tokens of machines."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class ApiToken(models.Model):
    """A machine's key: it may do what its owner may, as long as the owner may. Of its text only the hash is kept."""

    name = models.CharField(max_length=100, help_text="What uses it, such as the name of an LMS.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    #: SHA-256, hexadecimal. The text has 256 random bits: nothing to guess, so no slow hash on every request.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    #: To the minute.
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """What the API makes of it. The first word counts: a revoked token stays so when its owner comes back."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at <= timezone.now():
            return "expired"
        return "valid" if self.owner.is_active and self.owner.is_staff else "owner is not active staff"
