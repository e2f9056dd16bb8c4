"""What the commands do: each file is one application, told by explicit arguments or a configuration."""
