from perdure.report.scan import Scan, scan_chart

SCAN = Scan(3, "the best silhouette", (2, 3, 4), (0.3, 0.6, 0.5), (8.0, 4.0, 2.0))


def test_silhouette_and_inertia_are_drawn_and_the_choice_is_ringed():
    silhouette, inertia = scan_chart({"attention": SCAN}).axes
    assert list(silhouette.lines[0].get_ydata()) == [0.3, 0.6, 0.5]
    assert list(inertia.lines[0].get_ydata()) == [1.0, 0.5, 0.25]
    assert silhouette.collections[0].get_offsets().tolist() == [[3.0, 0.6]]
    assert inertia.collections[0].get_offsets().tolist() == [[3.0, 0.5]]


def test_a_number_that_was_given_has_no_scan():
    given = Scan(2, "as asked for", (), (), ())
    assert all(not axes.collections for axes in scan_chart({"attention": given}).axes)
