#!/usr/bin/perl
# mutate.pl SEED COUNT FOLDER: changes a tree by COUNT random operations, all that a file system knows. The same seed
# and the same tree give the same changes. mutate.pl SEED COUNT DEVICE does the like to a volume.
use strict;
use warnings;
use Fcntl qw(SEEK_SET);

my ($seed, $count, $place) = @ARGV;
srand($seed);

sub pick { return $_[int rand @_]; }

sub noise { return join '', map { chr int rand 256 } 1 .. $_[0]; }

# Letters that do not compress well: zfs send -e loses spill blocks that compress to less than 112 bytes.
sub letters { return join '', map { sprintf '%x', int rand 16 } 1 .. $_[0]; }

# Bytes of a length: noise, text that compresses, zeros, or a few bytes again and again.
sub bytes {
    my ($length) = @_;
    my $kind = int rand 4;
    return substr(noise(512) x (1 + $length / 512), 0, $length) if $kind == 0 && $length > 4096;
    return noise($length) if $kind <= 1 && $length <= 200_000;
    return "\0" x $length if $kind == 2 && rand() < 0.3;
    return substr(("word " . int(rand 1000) . " ") x (1 + $length / 5), 0, $length);
}

# Sizes around the places where blocks begin and end.
sub size {
    my $base = pick(0, 1, 60, 112, 511, 512, 4096, 5000, 16384, 60_000, 131_072, 131_073,
      262_144, 400_000, 1_048_576, 1_300_000);
    return $base if rand() < 0.5;
    return int rand($base + 2000);
}

sub write_at {
    my ($path, $offset, $data) = @_;
    open(my $file, '+<', $path) or return;
    binmode $file;
    seek $file, $offset, SEEK_SET;
    print {$file} $data;
    close $file;
}

sub run { system(@_) == 0 or warn "@_ failed\n"; }

# Everything below the folder, in an order that does not depend on the file system.
sub tree {
    my ($folder) = @_;
    opendir(my $handle, $folder) or return ();
    my @names = sort grep { !/^\.\.?$/ } readdir $handle;
    closedir $handle;
    return map { my $path = "$folder/$_"; ($path, -d $path && !-l $path ? tree($path) : ()) } @names;
}

my $made = 0;
sub name {
    my $long = rand() < 0.05 ? 'n' x 200 : '';
    return sprintf '%s-%d-%d%s', pick('a', 'file', 'x', 'données', 'with space'), $seed, $made++, $long;
}

sub mutate_tree {
    my @all = tree($place);
    my @files = grep { -f && !-l } @all;
    my @folders = ($place, grep { -d && !-l } @all);
    my $folder = pick(@folders);
    my $file = @files ? pick(@files) : undef;
    my $what = int rand 100;

    if ($what < 20 || !defined $file) {
        open(my $new, '>', "$folder/" . name()) or return;
        print {$new} bytes(size());
        close $new;
    } elsif ($what < 30) {
        my $size = -s $file;
        write_at($file, int rand($size + 1), bytes(1 + int rand 70_000));
    } elsif ($what < 35) {    # far behind the end: a hole between
        write_at($file, (-s $file) + int(rand 3_000_000), bytes(1 + int rand 20_000));
    } elsif ($what < 42) {
        truncate $file, pick(0, int rand(1 + -s $file), (-s $file) + int rand 500_000);
    } elsif ($what < 48) {
        my ($start, $length) = (int rand(1 + -s $file), 1 + int rand 300_000);
        run('fallocate', '-p', '-o', $start, '-l', $length, $file);
    } elsif ($what < 58) {
        unlink $file;
    } elsif ($what < 60 && @folders > 3) {
        run('rm', '-rf', pick(@folders[1 .. $#folders]));
    } elsif ($what < 66) {
        rename $file, "$folder/" . name();
    } elsif ($what < 68) {
        rename $file, pick(@files);
    } elsif ($what < 71) {
        link $file, "$folder/" . name();
    } elsif ($what < 75) {
        symlink(letters(pick(6, 90, 700)), "$folder/" . name());
    } elsif ($what < 80) {
        mkdir "$folder/" . name();
    } elsif ($what < 82) {
        my $new = "$folder/" . name();
        mkdir $new;
        for my $i (1 .. pick(10, 40, 100)) {
            open(my $small, '>', "$new/$i" . 'e' x int(rand 60)) or last;
            print {$small} bytes(int rand 3000) if rand() < 0.7;
            close $small;
        }
    } elsif ($what < 84) {
        run('mknod', "$folder/" . name(), pick(['p'], [ 'c', 1, 3 ])->@*);
    } elsif ($what < 92) {
        my $attribute = 'user.' . pick('a', 'b', 'c', 'long-name');
        if (rand() < 0.25) { system("setfattr -h -x $attribute '$file' 2>/dev/null"); }
        else { run('setfattr', '-n', $attribute, '-v', letters(pick(3, 50, 400, 5000, 20_000)), $file); }
    } elsif ($what < 94) {
        run('setfacl', '-m', 'u:' . (1000 + int rand 5) . ':r', $file);
    } elsif ($what < 96) {
        chmod pick(0600, 0644, 0755, 04711), $file;
    } elsif ($what < 98) {
        chown int rand 2000, int rand 2000, $file;
    } else {
        utime 1_500_000_000 + int rand 1_000_000, 1_500_000_000 + int rand 1_000_000, $file;
    }
}

sub mutate_volume {
    my ($size, $blocks) = (16_384, 1024);    # the volume has 16 MiB
    my ($first, $length) = (int rand $blocks, 1 + int rand 40);
    $length = $blocks - $first if $first + $length > $blocks;
    if (rand() < 0.3) { run('blkdiscard', '-o', $first * $size, '-l', $length * $size, $place); return; }
    write_at($place, $first * $size + int rand $size, bytes($length * $size - $size || 1));
}

for (1 .. $count) {
    if (-d $place) { mutate_tree(); }
    else { mutate_volume(); }
}
