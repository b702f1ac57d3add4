"""The page of the gateway: what the cluster does, for people, in a browser of this machine; and its metrics."""
