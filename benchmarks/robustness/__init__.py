"""How the service holds up under connections, followers, files and bodies that mean it no good."""
