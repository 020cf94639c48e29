module github.com/gowebpubsub/webpubsub/bench

go 1.26

require github.com/gowebpubsub/webpubsub v0.0.0

require golang.org/x/sys v0.38.0

replace github.com/gowebpubsub/webpubsub => ../
