"""The bus: topics, connections with a broker, logins, names of clients."""
