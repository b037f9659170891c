package locks

import (
	"context"
	"sync"
	"time"

	"davwopi/idmap/sqldb"
)

// renewals keeps the leases of this process alive, all that are due in one transaction. A
// transaction for each would wait for its turn and for the disk, again and again, and with
// hundreds of leases held they would keep those waiting who hold them: on a machine under
// load nothing went on any more.
type renewals struct {
	mu   sync.Mutex
	held map[*Lease]bool // guarded by mu
	stop func()          // guarded by mu; ends the goroutine, nil: none runs
}

// perRenewal is how many leases are renewed in one transaction: PostgreSQL does all of it
// again when one row collides.
const perRenewal = 100

// add begins to renew x.
func (n *renewals) add(x *Lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held == nil {
		n.held = make(map[*Lease]bool)
	}
	n.held[x] = true
	if n.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.stop = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		n.run(ctx, x.l)
	}()
}

// remove ends the renewal of x.
func (n *renewals) remove(x *Lease) {
	n.mu.Lock()
	delete(n.held, x)
	stop := n.stop
	if len(n.held) > 0 {
		stop = nil
	} else {
		n.stop = nil
	}
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (n *renewals) run(ctx context.Context, l *Locks) {
	tick := time.NewTicker(l.k.leaseFor / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := n.due(l.k.leaseFor / 6); len(due) > 0 && ctx.Err() == nil; {
			some := due[:min(len(due), perRenewal)]
			due = due[len(some):]
			if err := n.renew(ctx, l, some); err != nil && ctx.Err() == nil {
				l.failed("renewing leases", err) // there is time for another try
			}
		}
	}
}

// due are the leases that were not renewed for so long.
func (n *renewals) due(since time.Duration) (all []*Lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for x := range n.held {
		if x.ctx.Err() == nil && time.Since(x.asked)-time.Duration(x.renewed.Load()) >= since {
			all = append(all, x)
		}
	}
	return all
}

// renew moves the ends of some leases. One that was taken over is not renewed any more.
func (n *renewals) renew(ctx context.Context, l *Locks, some []*Lease) error {
	asked := time.Now()
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	var mine []bool
	err = l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
		mine = make([]bool, len(some))
		for i, x := range some {
			n, err := tx.Exec(ctx, `UPDATE locks_lease SET until = ? WHERE file = ? AND serial = ? AND holder = ?`,
				sqldb.Millis(now.Add(l.k.leaseFor)), string(x.File), x.Serial, x.holder)
			if err != nil {
				return err
			}
			mine[i] = n > 0
		}
		return nil
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, x := range some {
		if mine[i] || l.lacks(theLease) {
			x.renewed.Store(int64(asked.Sub(x.asked)))
		} else {
			delete(n.held, x)
		}
	}
	return nil
}
