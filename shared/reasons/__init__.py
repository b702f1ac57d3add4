"""Reasons of failures in plain English."""
