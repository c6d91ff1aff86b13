// Pause is the process that holds a pod's namespaces open: it waits for a signal and does nothing else.
//
// The kubelet starts one in every pod before the pod's own containers. Upstream's is a C program
// (https://github.com/kubernetes/kubernetes/tree/master/build/pause); this one needs no C compiler.
// Pods here do not share process namespaces by default; where one does, pause is process 1 and
// inherits orphans, which is why it collects the children that have exited.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
