"""Every way data leaves in another format."""
