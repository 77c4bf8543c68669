"""From a report to a client's own configuration: one file a client, found through ``reports.clients.registry``."""
