"""What tests stand on: databases, a browser, a mail sink, a server, the cast."""
