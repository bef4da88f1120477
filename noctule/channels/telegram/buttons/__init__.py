"""Buttons: what each one does when it is pressed."""
