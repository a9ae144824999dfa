"""Steps from one version of the tables to the next, written by hand; tests compare where they lead with the schema."""
