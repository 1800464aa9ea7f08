"""The only package that imports confluent_kafka: logs, topics, the group consumer, transactions."""
