"""What receivers, exporters and extensions share about sockets: listening and TLS."""
