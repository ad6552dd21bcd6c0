"""Who may see and do what: tokens, roles, rights, signed links, throttles. Rests on the audit log alone."""
