"""Images and words in one space: templated reports of nodules, and the training that aligns cubes with them."""
