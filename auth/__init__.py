"""Accounts: members, sign-in, roles, the whole policy."""
