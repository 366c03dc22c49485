"""Images meet their features; streams of whole identities; samples."""
