module github.com/gowebpubsub/webpubsub

go 1.26
