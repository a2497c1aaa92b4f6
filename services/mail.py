"""Mails: what there is to send, queued with the change that causes it, rendered and sent by the worker."""
