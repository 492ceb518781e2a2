"""One reader a format; each turns a source into records and says where it could not."""
