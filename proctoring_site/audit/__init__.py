"""The audit log: who did or looked at what, when and from where. Imports none of the other apps; all may import it."""
