"""What brings texts into the content table: our own Markdown files, and public archives."""
