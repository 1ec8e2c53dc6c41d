"""The cellar: settings, database, markup, mail, audit; knows no other room."""
