# partitions
