"""What is seen of a chat: transcript, composer, drawer, model button."""
