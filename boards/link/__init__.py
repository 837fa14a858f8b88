"""The link between a host and a board: gateware, protocol and host. See `boards.link.protocol`."""
