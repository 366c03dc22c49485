"""What a run needs and no method knows: settings, files, leases, sessions, failures."""
