"""The sandbox: what a command sees, may write and may ask of the kernel."""
