package locks

import (
	"context"
	"errors"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// errRaced says that a row was not any more what it was when it was read. The
// caller looks again.
var errRaced = errors.New("locks: the lock row changed meanwhile")

// swap replaces old by next, in one transaction with also: nil old stands for no
// row, nil next removes it, nil also is nothing. It returns errRaced, and changes
// nothing, if the row is not old any more. next gets its serial.
func (l *Locks) swap(ctx context.Context, old, next *row, also func(tx sqldb.Queryer) error) error {
	err := l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		var ok bool
		var err error
		switch {
		case old == nil:
			ok, err = insertRow(ctx, tx, next)
		case next == nil:
			ok, err = deleteRow(ctx, tx, old.file, old.serial)
		default:
			ok, err = updateRow(ctx, tx, old.serial, next)
		}
		if err != nil {
			return err
		}
		if !ok {
			return errRaced
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
	if err == nil {
		l.k.wakes.ring(fileOf(old, next))
	}
	return err
}

func fileOf(rows ...*row) idmap.FileID {
	for _, r := range rows {
		if r != nil {
			return r.file
		}
	}
	return ""
}

// amend changes the present row of file by change, in one transaction with also,
// and returns the new row. It returns errRaced, and changes nothing, if there is
// no row or change says so.
func (l *Locks) amend(ctx context.Context, file idmap.FileID, change func(*row) error, also func(tx sqldb.Queryer) error) (*row, error) {
	return l.amendBy(ctx, l.DB.Write, file, change, also)
}

func (l *Locks) amendBy(ctx context.Context, write func(context.Context, func(sqldb.Queryer) error) error, file idmap.FileID, change func(*row) error,
	also func(tx sqldb.Queryer) error) (*row, error) {
	var out *row
	err := write(ctx, func(tx sqldb.Queryer) error {
		r, err := readRow(ctx, tx, file)
		if err != nil {
			return err
		}
		if r == nil {
			return errRaced
		}
		if err := change(r); err != nil {
			return err
		}
		ok, err := updateRow(ctx, tx, r.serial, r)
		if err != nil {
			return err
		}
		if !ok {
			return errRaced
		}
		out = r
		if also == nil {
			return nil
		}
		return also(tx)
	})
	if err != nil {
		return nil, err
	}
	l.k.wakes.ring(file)
	return out, nil
}
