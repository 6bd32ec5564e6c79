// partitions
