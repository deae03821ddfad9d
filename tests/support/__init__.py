"""What tests share: homes, stores, pages, commands, processes, images, servers."""
