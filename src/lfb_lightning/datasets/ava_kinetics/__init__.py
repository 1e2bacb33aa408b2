"""AVA-Kinetics: AVA's movies and Kinetics' clips, annotated with AVA's actions."""
