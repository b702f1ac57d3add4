"""Reasons of failures in plain words."""
