"""The review desk: the pages of the admin that lead from a list of sessions to a human decision."""
