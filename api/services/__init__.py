"""The services that the routes depend on."""
